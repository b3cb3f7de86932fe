"""Places and words that decide a class whatever else a row shows: where relevance gathers, and what moving it does."""
