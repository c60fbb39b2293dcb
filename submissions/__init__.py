"""How outsiders enter: the gate and one folder per submitted method (next: see CHANGELOG.md)."""
