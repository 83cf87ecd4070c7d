"""Self-checks of the course: seeded papers whose right answers the engine computes.

Read in this order: ``bank/2.1.yaml`` (what a question is), ``schema.py`` (its fields; ``nodes.py``
and ``expression.py`` under it), ``answers/`` and ``specimen.py`` (what the engine is asked),
``paper.py`` (the draw), ``units.py`` and ``marking.py`` (right or wrong, and why), ``replies.py``,
``collected.py`` and ``gathering.py`` (files), ``progress.py``, ``screen.py``, ``keys.py`` and
``terminal.py`` (one sitting), ``notebook.py`` and ``web/`` (the same elsewhere), ``verify.py`` (the
banks themselves checked), ``exports.py`` over ``portable.py`` and a file a format (other systems),
``interview.py`` and ``sitting.py`` (the interview bank of ``course/interview``), ``claims.py``
(what every number was computed by), ``cli/``.
"""
