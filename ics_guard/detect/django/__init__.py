"""Django: migrations, what their operations do, and the history that they make."""
