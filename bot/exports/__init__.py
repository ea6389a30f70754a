"""Reviews for programs: JSON."""
