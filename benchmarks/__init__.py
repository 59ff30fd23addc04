"""Measurements that are run by hand; what each answers stands in its first lines."""
