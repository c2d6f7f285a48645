"""Published image-style methods as interchangeable plug-ins, chosen by config."""
