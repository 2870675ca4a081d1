"""Toolchain profiles out of images, and what differs between two of them."""
