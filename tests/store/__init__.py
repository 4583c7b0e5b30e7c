"""What every store must do, and what each one does of its own."""
