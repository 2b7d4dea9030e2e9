"""What the API shares with no app in particular: what it accepts, and what its OpenAPI document says."""
