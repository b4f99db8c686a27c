"""What the city asks: one .sql a question."""
