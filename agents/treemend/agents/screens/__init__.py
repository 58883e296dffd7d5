"""What a person sees on standard error while a run goes on."""
