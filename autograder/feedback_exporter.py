"""``nbgrader generate_feedback`` and formgrader's button write our feedback page.

nbgrader asks an exporter to turn an autograded notebook into a page. This one looks at whose it is
and makes the page of that student's record, with what stands in the gradebook; the notebook itself,
in which a student's text would become markup, is not rendered. Owns: this exporter. Must not know:
nbgrader's package, how a page looks. Read before: feedback.py, bookkeeper.py.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from autograder import bookkeeper, catalog, feedback, notebooks  # notebooks before nbconvert

# isort: split
from nbconvert.exporters import Exporter

from autograder.classroom import Classroom
from autograder.errors import CourseError


class FeedbackPage(Exporter):
    """nbgrader's converter gives the course folder, the student and the assignment."""

    file_extension = ".html"

    def from_notebook_node(
        self, nb: notebooks.NotebookNode, resources: Any = None, **_: Any
    ) -> tuple[str, Any]:
        """The page of the record of whose notebook this is; CourseError where there is none."""
        student, name = (resources["nbgrader"][key] for key in ("student", "assignment"))
        assignment, records = self._known(name)
        if student not in records:
            raise CourseError(f"{student} has no result: run `autograder grade {name}` first")
        resources["output_extension"] = self.file_extension
        html = feedback.page(
            records.get(student),
            hints=assignment.hints,
            title=assignment.handout.title,
            standing=bookkeeper.standing(self._root, name, [student]).get(student),
        )
        return html, resources

    def _known(self, name: str) -> tuple[Any, Any]:
        """The assignment and its records, read once for a class."""
        if name not in self._loaded:
            course = self.config.FromCourse.get("course", "") or None
            assignment = catalog.find_course(course).assignment(name)
            self._loaded[name] = assignment, Classroom(self._root).results(name)
        return self._loaded[name]

    @cached_property
    def _loaded(self) -> dict[str, tuple[Any, Any]]:
        return {}

    @property
    def _root(self) -> Path:
        return Path(self.parent.coursedir.root)
