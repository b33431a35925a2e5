"""Words as search counts them: which say nothing, and the terms that the others become."""
