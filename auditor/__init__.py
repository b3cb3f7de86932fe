"""Audit a PyTorch model. Start reading in `auditor.audit`.

Nothing is imported here: reading a finished audit (`auditor.types`, `auditor.store`) must not load torch.
"""
