"""Document: reads the timeline and rows only; explanations, sentences, post-mortems and charts come from here."""
