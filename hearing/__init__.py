"""hearing: the law of the court: who may do what, when, and what it means (庭审)."""
