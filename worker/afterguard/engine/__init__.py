"""The judges: vLLM embedded, any OpenAI-compatible server, and a null engine for overhead."""
