"""What the next step would do to a parameter, worked out on copies and held against what it then did. Begin with
`foresight`.
"""
