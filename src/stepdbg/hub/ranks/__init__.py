"""The training processes as the hub knows them: which there are, what each one does, what it was asked, and which
signals reach it. Begin with `rank`.
"""
