"""record: the sealed record of a hearing and its proof."""
