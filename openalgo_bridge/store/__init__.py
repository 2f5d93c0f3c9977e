"""Every line of SQL in the program. One module writes each table."""
