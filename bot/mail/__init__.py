"""Bytes to Message to Patch to Series; pure."""
