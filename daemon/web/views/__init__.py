"""Facts to what a page shows, purely: words, states, orders, widths; no store, no clock, no HTML but SVG."""
