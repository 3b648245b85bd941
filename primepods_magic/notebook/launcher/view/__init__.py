"""The launcher's widgets: what they are told goes to the model, and what it says is shown."""
