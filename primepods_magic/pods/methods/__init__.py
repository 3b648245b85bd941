"""Methods of `Pod`, by what they are for."""
