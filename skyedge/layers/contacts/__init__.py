"""Contact-aware scheduling: who gets an antenna, and which bytes go in which pass.

A room of its own beside ``scheduler/``: that one hands out machines that are always there and speaks of pods and queues;
this one hands out time in the sky, which comes and goes, and speaks of contacts, sessions and bytes.  Where the two meet
(capacity that exists only during a pass) :mod:`skyedge.layers.contacts.availability` translates.
"""
