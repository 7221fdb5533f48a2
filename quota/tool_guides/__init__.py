"""How each tool is set up: its steps, and the commands, files and values of each step as data.

Pages show them, and tests run them.
"""
