"""What of ours is put in the place of something of torch's or Python's, so that nobody notices. Begin with `dynamo`."""
