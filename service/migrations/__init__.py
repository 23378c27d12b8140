"""The history of both schemas, their roles' grants included. Imports nothing of the application."""
