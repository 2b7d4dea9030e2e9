"""What tests share: rows and files in the making, real servers to run against, stand-ins for other people's."""
