"""The HTTP layer: authentication, validation, middleware and the server thread."""
