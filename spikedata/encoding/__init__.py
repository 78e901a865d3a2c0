"""Clips to spike files: plan, work, merge, verify, cluster; beside `cli`, the only room that knows the cochlea."""
