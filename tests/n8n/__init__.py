"""A real N8N with the workflows of `n8n/`, and stand-ins for Notion and the OpenAI API; `make test-n8n` runs these."""
