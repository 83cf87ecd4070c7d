"""x"""
ROWS = ()
