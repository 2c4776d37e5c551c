"""Human evaluation: people judge whether a model's error is one. Studies are drawn, answered in the app or on sheets, and scored in SQL."""
