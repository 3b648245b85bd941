"""Offers, pods, disks, billing and time, without I/O."""
