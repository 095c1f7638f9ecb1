"""What people ask (queries to view models) and order (rows): the one layer that command line and web share."""
