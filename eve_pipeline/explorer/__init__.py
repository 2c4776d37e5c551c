"""The web app on the published database: look at scores, images, replies and costs side by side. Streamlit is imported here alone."""
