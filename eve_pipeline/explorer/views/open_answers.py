"""Soon."""
import streamlit as st
st.title("open_answers")
