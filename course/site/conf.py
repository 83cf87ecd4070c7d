"""Sphinx's settings. What differs between builds comes from `__main__.py` (`confoverrides`)."""

project = "minengine"
author = "the authors of the course"
extensions = ["myst_nb", "sphinx.ext.mathjax", "course.site.directives"]
source_suffix = {".md": "myst-nb"}
language = "en"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "amsmath", "attrs_inline"]
myst_heading_anchors = 4
myst_update_mathjax = False
nb_execution_mode = "cache"
nb_execution_timeout = 180
nb_execution_raise_on_error = False  # a warning shows the traceback
nb_execution_in_temp = True
nb_merge_streams = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
nb_execution_show_tb = True

add_module_names = False
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "static/favicon.svg"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
html_last_updated_fmt = None
html_baseurl = ""
html_theme_options = {"navigation_with_keys": True, "top_of_page_buttons": []}
pygments_style = "tango"
pygments_dark_style = "github-dark"

# Shipped with the site (see __main__.py); nothing is loaded from another host.
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {
    "tex": {"packages": {"[+]": ["ams"]}},
    "options": {"enableMenu": False},
    "chtml": {"matchFontHeight": True},
}
