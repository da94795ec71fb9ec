from django.http import FileResponse, HttpResponse, StreamingHttpResponse

from notes.models import Note


def index(_request):
    return HttpResponse("".join("%s: %s\n" % (note, note.attachment.name) for note in Note.objects.order_by("title")),
                        content_type="text/plain; charset=utf-8")


def export(_request):
    return StreamingHttpResponse(("%d\n" % number for number in range(1000)), content_type="text/csv")


def download(_request):
    return FileResponse(open(__file__, "rb"), as_attachment=True, filename="views.py")
