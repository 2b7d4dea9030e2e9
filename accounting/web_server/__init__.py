"""The web server: waitress, its parser held to the letter of HTTP, and its threads in two lanes."""
