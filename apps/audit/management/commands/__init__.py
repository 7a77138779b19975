"""export_audit, verify_audit, erase_detail."""
