"""`envcheck bench`: which delegate, how many processes: a sweep over configurations of one environment."""
