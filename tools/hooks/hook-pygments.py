"""Of pygments, which rich brings, what colours documents: not the three hundred modules for as many languages."""

hiddenimports = ["pygments.formatters", "pygments.lexers.data", "pygments.lexers.special", "pygments.styles.default"]
