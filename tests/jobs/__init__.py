"""What becomes of a job: its rules, the verbs that change it, callbacks, the sweep."""
