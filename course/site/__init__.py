"""The course's web site: `python -m course.site` builds it (`make site`, `make student-site`).

Read in this order:

    symbols.py      text of a function, class or table of ours, by its dotted name
    closed.py       which symbols the syllabus keeps from students, and until when
    lessons.py      a lesson's text made ready: computed numbers in prose, links to pages
    execution.py    lessons are run, and what they gave is kept
    directives.py   code-of, predict, self-check, pitfall: what lessons write
    assignments.py  pages of assignments, labs and code examples (self_checks.py: quizzes,
                    interviews.py: the interview bank, reference.py: API and source pages,
                    howto.py: the rows of CONTRIBUTING's table)
    navigation.py   the order of the pages: the syllabus
    sources.py      every page's source text
    notebooks.py    lessons as notebooks, to be run by their readers
    conf.py         Sphinx's settings
    __main__.py     the build: stages the pages, runs Sphinx, warnings are errors

Must not know: how an assignment is graded, how a question is answered.
"""
