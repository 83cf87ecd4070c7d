"""The course's web site: `python -m course.site` builds it (`make site`, `make student-site`).

Read in this order:

    symbols.py      text of a function, class or table of ours, by its dotted name
    closed.py       which symbols the syllabus keeps from students, and until when
    lessons.py      a lesson's text made ready: computed numbers in prose, what is executed
    directives.py   code-of, predict, self-check, pitfall: what lessons write (Sphinx's one door)
    conf.py         Sphinx's settings
    __main__.py     the build: stages the pages, runs Sphinx, warnings are errors

Must not know: how an assignment is graded, how a question is answered.
"""
