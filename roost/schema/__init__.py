"""What clients may send to an application's channels and what they hear from them, as documents."""
