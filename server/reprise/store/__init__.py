"""One contract, SQLite behind it; PostgreSQL joins at `database`, the seam between the two."""
