"""Read what models replied: find the JSON, the label it means, and the status of every request."""
