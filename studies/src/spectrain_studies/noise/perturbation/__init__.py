"""First-order perturbation theory of singular vectors."""
