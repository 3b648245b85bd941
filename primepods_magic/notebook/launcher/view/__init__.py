"""The widgets of the launcher: input goes to the model, and its state is rendered."""
