"""The GPUs of a machine, and the `nvidia-smi` that reports them."""
