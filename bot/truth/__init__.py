"""Measures the reviews on changes whose faults are known: cases, scores, and the tables that show them."""
